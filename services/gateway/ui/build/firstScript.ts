/** `src/first.ts` is run as soon as it has come, without waiting for the app that it belongs to. */
import type { Plugin } from 'vite';

export const FIRST = 'first';

export function firstScript(): Plugin {
  return {
    name: 'first-script',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const chunk = Object.values(bundle ?? {}).find((each) => each.type === 'chunk' && each.name === FIRST);
        if (chunk === undefined) throw new Error(`there is no chunk ${FIRST}`);
        const tag = `<script type="module" async crossorigin src="/${chunk.fileName}"></script>\n    `;
        return html.replace('<script type="module"', (app) => tag + app);
      },
    },
  };
}
