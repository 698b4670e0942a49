/** What Netlify gives a scheduled function and a background function, in milliseconds, less a second for its start. */
export const SCHEDULED_MS = 29_000;
export const BACKGROUND_MS = 899_000;
