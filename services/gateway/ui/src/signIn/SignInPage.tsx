/** Where whoever is not signed in says who they are: by an API key, or at the identity provider. */
import { Alert, Button, Divider, Loader, PasswordInput, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconKey, IconLogin2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Link, Navigate, useLocation, useNavigate, useSearchParams } from 'react-router';
import { api, take } from '@/api/client';
import type { Problem } from '@/api/problem';
import { useSessionQuery } from '@/api/session';
import favicon from '@/shell/favicon.svg';
import { useNow } from '@/ui/clock';
import { ProblemAlert } from '@/ui/ProblemAlert';
import { keyOf, pageOf, refusalOf } from './arrival';
import classes from './SignInPage.module.css';
import { type SigningIn, useSignIn } from './useSignIn';

export function SignInPage() {
  const signing = useSignIn();
  const session = useSessionQuery();
  const arriving = useKeyOfAddress(signing.signIn);
  const [search] = useSearchParams();
  const goOnTo = pageOf(search.get('returnTo'), window.location.origin);
  const refusal = refusalOf(search.get('problem'));
  useEffect(() => {
    document.title = 'Sign in · Runyard';
  }, []);

  if (session.data && !arriving && !signing.busy && signing.problem === null) return <Navigate to={goOnTo} replace />;
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <img src={favicon} width={26} height={26} alt="" />
          Runyard
        </div>
        <Title order={1}>Sign in</Title>
        {session.isError ? (
          <ProblemAlert error={session.error} onRetry={() => session.refetch()} />
        ) : session.isPending || arriving ? (
          <div className={classes.wait}>
            <Loader size="sm" aria-hidden />
            <Text size="sm" c="dimmed" role="status">
              {arriving ? 'Signing in with the key of this link …' : 'Asking who is signed in …'}
            </Text>
          </div>
        ) : (
          <>
            {refusal !== null && !signing.busy && signing.problem === null && (
              <Alert
                color="red"
                variant="light"
                icon={<IconAlertTriangle aria-hidden />}
                title="You are not signed in"
                role="alert"
              >
                {refusal}
              </Alert>
            )}
            <Methods signing={signing} goOnTo={goOnTo} />
          </>
        )}
        {session.data && (
          <Text size="sm">
            You are signed in as {session.data.name}: <Link to={goOnTo}>go on</Link>.
          </Text>
        )}
      </div>
    </main>
  );
}

/** Signs in with the key that the address has. The key leaves the address, and so the browser's history, before anything else. */
function useKeyOfAddress(signIn: SigningIn['signIn']): boolean {
  const { hash, pathname, search } = useLocation();
  const navigate = useNavigate();
  const taken = useRef<string | null>(null);
  const [arriving, setArriving] = useState(() => keyOf(hash) !== null);
  useEffect(() => {
    const key = keyOf(hash);
    if (key === null) {
      taken.current = null;
      return;
    }
    if (taken.current === key) return;
    taken.current = key;
    window.history.replaceState(window.history.state, '', pathname + search);
    navigate(pathname + search, { replace: true });
    setArriving(true);
    void signIn(key).finally(() => setArriving(false));
  }, [hash, pathname, search, navigate, signIn]);
  return arriving;
}

function Methods({ signing, goOnTo }: { signing: SigningIn; goOnTo: string }) {
  const methods = useQuery({
    queryKey: ['session', 'methods'],
    queryFn: () => take(api.GET('/api/v1/session/methods')),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (methods.isError) return <ProblemAlert error={methods.error} onRetry={() => methods.refetch()} />;
  if (methods.isPending) return <Loader size="sm" aria-label="Asking how one can sign in here" />;
  const { apiKey, oidc } = methods.data;
  return (
    <>
      {oidc !== null && (
        <Button
          component="a"
          href={`${oidc}?returnTo=${encodeURIComponent(goOnTo)}`}
          leftSection={<IconLogin2 size={16} aria-hidden />}
          fullWidth
        >
          Sign in with the identity provider
        </Button>
      )}
      {oidc !== null && apiKey && <Divider label="or" labelPosition="center" />}
      {apiKey && <KeyForm signing={signing} only={oidc === null} />}
    </>
  );
}

function KeyForm({ signing: { signIn, busy, problem, againAt }, only }: { signing: SigningIn; only: boolean }) {
  const [key, setKey] = useState('');
  const now = useNow(againAt !== null);
  const seconds = againAt === null ? 0 : Math.max(0, Math.ceil((againAt - now) / 1000));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() !== '' && !busy && seconds === 0) void signIn(key);
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <PasswordInput
        label="API key"
        description="Whoever looks after Runyard here can make you one."
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        leftSection={<IconKey size={16} aria-hidden />}
        autoComplete="current-password"
        spellCheck={false}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the key', tabIndex: 0 }}
        data-autofocus
        autoFocus={only}
        required
        withAsterisk={false}
      />
      {problem !== null && <Refusal problem={problem} seconds={seconds} />}
      <Button
        type="submit"
        variant={only ? 'filled' : 'default'}
        loading={busy}
        disabled={key.trim() === '' || seconds > 0}
        fullWidth
      >
        Sign in
      </Button>
    </form>
  );
}

function Refusal({ problem, seconds }: { problem: Problem; seconds: number }) {
  if (problem.status === 401) {
    return (
      <Alert color="red" variant="light" icon={<IconAlertTriangle aria-hidden />} title="Not signed in" role="alert">
        This key opens nothing here. It may have been mistyped, revoked or have expired.
      </Alert>
    );
  }
  if (problem.status === 429) {
    return (
      <Alert
        color="red"
        variant="light"
        icon={<IconAlertTriangle aria-hidden />}
        title="Too many attempts"
        role="alert"
      >
        {seconds > 0 ? `The next one is taken in ${seconds} s.` : 'Try again now, with a key that is valid.'}
      </Alert>
    );
  }
  return <ProblemAlert error={problem} />;
}
