import { type ComponentType, type LazyExoticComponent, lazy } from 'react';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const ATTEMPTS = 12;

/**
 * A part of a page that is loaded when it is first shown. A server that is being restarted must not take the page away that is
 * watched meanwhile: what could not be loaded is tried again, for about a minute.
 */
// biome-ignore lint/suspicious/noExplicitAny: as React's own lazy, for components of any props
export function lazyPart<T extends ComponentType<any>>(load: () => Promise<T>): LazyExoticComponent<T> {
  return lazy(async () => {
    let pause = FIRST_PAUSE_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return { default: await load() };
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
        askForStylesAgain();
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  });
}

/** A part's styles are asked for once: those that did not come are not asked for with it again. */
function askForStylesAgain(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')) {
    if (link.sheet === null) link.replaceWith(link.cloneNode());
  }
}
