// Runs before anything is painted, so that a dark room stays dark.
(() => {
  let chosen = 'auto';
  try {
    chosen = localStorage.getItem('runyard-colour-scheme') || 'auto';
  } catch {
    // storage may be forbidden: then the system's scheme is taken
  }
  const dark = chosen === 'dark' || (chosen === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
