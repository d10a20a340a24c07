/** Words of the API or of a program, as they begin a line. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
