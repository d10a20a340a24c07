import type { Text } from './Source';

/** As it was written, unless that is JSON on one line, as programs write it: then a line for each value, so that it can be read. */
export function readable({ source, format }: { source: string; format: Text['format'] }, label: string): Text {
  if (format !== 'json' || source.trim().includes('\n')) return { text: source, format, label };
  return { text: JSON.stringify(JSON.parse(source), null, 2), format, label };
}
