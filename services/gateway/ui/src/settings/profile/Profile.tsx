/** Who I am here, what I may do, and until when I am signed in. */
import { useSession } from '@/api/session';
import { Distance, Instant } from '@/ui/Instant';
import { Fact, Facts } from '../Facts';
import { inOrder, PERMISSIONS } from '../permissions';
import { Section } from '../Section';
import { OwnKeys } from './OwnKeys';
import classes from './Profile.module.css';

export function Profile() {
  const session = useSession();
  return (
    <div className={classes.sections}>
      <Section title="Profile" about="Who you are here. What you do is in the audit log under this name.">
        <Facts>
          <Fact name="Name">{session.name}</Fact>
          <Fact name="Tenant">{session.tenantId}</Fact>
          <Fact name="Roles">{session.roles.length > 0 ? session.roles.join(', ') : 'None'}</Fact>
          <Fact name="You may">
            {session.permissions.length === 0 ? (
              'Answer the approvals that name you, and nothing else.'
            ) : (
              <ul className={classes.list}>
                {inOrder(session.permissions).map((each) => (
                  <li key={each}>
                    {PERMISSIONS[each].does} <code className={classes.code}>{each}</code>
                  </li>
                ))}
              </ul>
            )}
          </Fact>
          <Fact name="Signed in">
            {session.expiresAt === null ? (
              'For as long as your key is valid'
            ) : (
              <>
                Until <Instant at={session.expiresAt} /> (<Distance at={session.expiresAt} />) at the latest; after 8
                hours without use it ends earlier
              </>
            )}
          </Fact>
        </Facts>
      </Section>
      <OwnKeys />
    </div>
  );
}
