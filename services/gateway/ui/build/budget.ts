/**
 * What the pages of executions load must stay small: whoever is called at night may have a telephone and a poor network. Counted
 * are scripts and styles, compressed, of the list, and of an execution with its graph and its jobs.
 */
import { gzipSync } from 'node:zlib';
import type { Plugin, Rolldown } from 'vite';

const KIB = 1024;
const LIST = ['src/main.tsx', 'src/executions/ExecutionsPage.tsx'];
const EXECUTION = [
  'src/execution/ExecutionPage.tsx',
  'src/graph/ExecutionGraph.tsx',
  'src/execution/jobs/JobTimeline.tsx',
];
/** Messages and questions come over every page, as soon as it rests. */
const AT_REST = ['src/shell/Overlays.tsx'];
const BUDGETS: readonly [what: string, kib: number, modules: readonly string[]][] = [
  ['the list of executions', 225, LIST],
  ['the list and an execution, with graph, jobs and all', 350, [...LIST, ...EXECUTION, ...AT_REST]],
];

/** The build fails with what is too large. */
export function budget(): Plugin {
  return {
    name: 'budget',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [what, kib, modules] of BUDGETS) {
          const sizes = [...filesOf(bundle, modules)].map((name) => [name, sizeOf(bundle[name])] as const);
          const sum = sizes.reduce((all, [, size]) => all + size, 0) / KIB;
          if (sum <= kib) continue;
          const largest = sizes.sort((a, b) => b[1] - a[1]).slice(0, 12);
          const lines = largest.map(([name, size]) => `  ${(size / KIB).toFixed(1).padStart(6)}  ${name}`);
          this.error(
            `${what} load ${sum.toFixed(1)} KiB, compressed; the budget is ${kib}. Load what is not needed at first later` +
              ` (src/ui/lazyPart.ts), or do without. The largest:\n${lines.join('\n')}`,
          );
        }
      },
    },
  };
}

/** The chunks that these modules are in, all that those import, and their styles. */
function filesOf(bundle: Rolldown.OutputBundle, modules: readonly string[]): Set<string> {
  const files = new Set<string>();
  const add = (name: string) => {
    const chunk = bundle[name];
    if (chunk?.type !== 'chunk' || files.has(name)) return;
    files.add(name);
    for (const style of chunk.viteMetadata?.importedCss ?? []) files.add(style);
    chunk.imports.forEach(add);
  };
  for (const module of modules) {
    const found = Object.values(bundle).find(
      (each) => each.type === 'chunk' && each.moduleIds.some((id) => id.endsWith(`/${module}`)),
    );
    if (found === undefined) throw new Error(`the budget counts ${module}, which is no part of the app`);
    add(found.fileName);
  }
  return files;
}

function sizeOf(file: Rolldown.OutputAsset | Rolldown.OutputChunk | undefined): number {
  if (file === undefined) return 0;
  return gzipSync(file.type === 'chunk' ? file.code : file.source, { level: 9 }).length;
}
