import { CopyButton } from '@/ui/CopyButton';
import classes from './JobView.module.css';
import type { HttpOutput } from './result';

/** Status, headers, body (R14). */
export function HttpResponse({ output, ended }: { output: HttpOutput | null; ended: boolean }) {
  if (output === null)
    return <p className={classes.soft}>{ended ? 'There was no response: the error says why.' : 'No response yet.'}</p>;
  const good = output.statusCode !== null && output.statusCode >= 200 && output.statusCode < 300;
  return (
    <div className={classes.response}>
      <p>
        <strong style={{ color: `var(--ry-${good ? 'green' : 'red'})` }}>HTTP {output.statusCode}</strong>
      </p>
      <h3>Headers</h3>
      <table className={classes.headers}>
        <tbody>
          {output.headers.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h3>
        Body{output.isJson && ', as JSON'} <CopyButton value={output.body} what="the body" />
      </h3>
      {output.truncated && <p className={classes.soft}>Cut at 64 KiB here. All of it is in “Body as sent”.</p>}
      {output.body === '' ? (
        <p className={classes.soft}>It has none.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <section className={classes.pretty} tabIndex={0} aria-label="Body">
          <pre>{output.body}</pre>
        </section>
      )}
    </div>
  );
}
