/** The functions' `maxDuration` in infra/vercel/vercel.json, in milliseconds. */
export const MAX_DURATION_MS = 300_000;
