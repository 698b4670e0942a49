export type { BatchOptions } from "./batch.ts";
export {
  DEFAULT_QUEUE_OPTIONS,
  type QueueBinding,
  QueueMessageError,
  type QueueOptions,
  queue,
} from "./cloudflare-queue.ts";
export { type ServiceBinding, type ServiceBindingOptions, serviceBinding } from "./cloudflare-service.ts";
export { HttpError } from "./http-error.ts";
