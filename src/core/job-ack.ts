/**
 * How a job finds its way back from a receiver that ends it later. Whoever is given one hands it on as it is: only the store that made it
 * knows what it says.
 */
export type JobAck = Readonly<Record<string, unknown>>;
