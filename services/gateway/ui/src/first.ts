/** Runs while the rest of the app is still on its way: small, and with nothing that is not needed for that. */
import { askAhead } from './api/ahead';

askAhead(location);
