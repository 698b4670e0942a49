/** Every key that Airlift shares with the Resque world or keeps for itself. No other file knows a key's name. */
export interface Keys {
  /** LIST of payloads; RPUSH, LPOP. */
  queue(name: string): string;
  /** STRING, set while resque-pause pauses the queue, whatever its value. */
  queuePause(name: string): string;
  /** STRING: what the worker is doing. */
  worker(id: string): string;
  /** STRING: since when the worker is there. */
  started(id: string): string;
  /** STRING: the last sign of life of a worker of node-resque, by its id without the queues. */
  nodePing(name: string): string;
  /** LIST of delayed items that are due at this second, in the order in which they were delayed. */
  delayed(atSeconds: number | string): string;
  /** SET of the lists that hold this delayed item, as `delayed:<seconds>` without the namespace. */
  timestamps(item: string): string;
  /** STRING with a TTL: the lock of jobs that are unique by their arguments, as node-resque's QueueLock keeps it. */
  lock(className: string, queue: string, argsText: string): string;
  /** Airlift's own. STRING with a TTL: the lock of jobs that are unique by a key. */
  uniqueLock(className: string, hash: string): string;
  /** Airlift's own. STRING with a TTL: that a job is running, or its result. */
  idempotency(className: string, hash: string): string;
  /** STRING: jobs that the worker has finished. */
  processedBy(id: string): string;
  /** STRING: those of them that failed. */
  failedBy(id: string): string;
  /** SET of queue names. */
  readonly queues: string;
  /** SET of worker ids. */
  readonly workers: string;
  /** HASH worker id → ISO 8601 time of its last sign of life. */
  readonly heartbeats: string;
  /** STRING with a TTL: which Ruby worker looks for dead workers. */
  readonly pruning: string;
  /** LIST of failures. */
  readonly failed: string;
  /** SET of the names of failed lists of single queues, as Ruby's multi-queue backend keeps them. */
  readonly failedQueues: string;
  /** LIST of one queue's failures, `<queue>_failed`. */
  failedOf(queue: string): string;
  readonly processed: string;
  readonly failures: string;
  /** STRING "true" while Ruby Resque's workers are paused. */
  readonly pauseAll: string;
  /** ZSET: member and score are the seconds for which there is a list of delayed items. */
  readonly delayedSchedule: string;
  /** STRING: which resque-scheduler leads, as long as one does (it has 3 minutes to live). Its namespace stands twice. */
  readonly rubySchedulerLock: string;
  /** Airlift's own. ZSET: member is a job that waits for its next attempt, score is when it is due (ms, Redis time). */
  readonly retries: string;
  /** Airlift's own. STRING: JSON array of the classes that are paused. */
  readonly pausedClasses: string;
  /** Airlift's own. HASH: `<drain>.<slot>` → the limited class and key of the job that runs there. */
  readonly running: string;
  /** Airlift's own. ZSET: the latest starts of jobs of rate-limited classes → when (ms, Redis time). */
  readonly starts: string;
  /** Airlift's own. STRING with a TTL: JSON of what is known of a job. */
  job(id: string): string;
  /** Airlift's own. HASH with a TTL: worker id → JSON of what its job has last told of itself. */
  readonly checkins: string;
  /** Airlift's own. STRING with a TTL: the id of the single drain of this name that may claim. */
  single(name: string): string;
  /** Airlift's own. STRING with a TTL: that a drain was kicked and has not begun yet. */
  readonly kick: string;
  /** Airlift's own. STRING with a TTL: that sibling drains have just been started. */
  readonly scaling: string;
  /** Airlift's own. STRING with a TTL: JSON of how the last drain ended. */
  readonly lastDrain: string;
  /** Airlift's own. ZSET: member is a drain's description, score is when its lease ends (ms, Redis time). */
  readonly drains: string;
  /** HASH schedule's name → JSON of its definition (resque-scheduler's dynamic schedules). */
  readonly persistentSchedules: string;
  /** SET of schedules that Ruby's scheduler reads anew, emptied by it. */
  readonly schedulesChanged: string;
  /** HASH schedule's name → Ruby's `Time#to_s` of when its last job was enqueued. */
  readonly lastEnqueuedAt: string;
  /** The same as `rubySchedulerLock`, of a scheduler with this RESQUE_SCHEDULER_MASTER_LOCK_PREFIX. */
  prefixedSchedulerLock(lockPrefix: string): string;
  /** Airlift's own. HASH schedule's name → JSON of its last tick. */
  readonly cron: string;
}

/**
 * The keys under a namespace.
 *
 * @param namespace `resque`, with or without the colon that separates it
 * @see https://github.com/resque/resque/blob/master/lib/resque/data_store.rb
 */
export function createKeys(namespace = "resque"): Keys {
  const prefix = namespace === "" || namespace.endsWith(":") ? namespace : `${namespace}:`;
  return {
    queue: (name) => `${prefix}queue:${name}`,
    queuePause: (name) => `${prefix}pause:queue:${name}`,
    worker: (id) => `${prefix}worker:${id}`,
    started: (id) => `${prefix}worker:${id}:started`,
    nodePing: (name) => `${prefix}worker:ping:${name}`,
    delayed: (atSeconds) => `${prefix}delayed:${atSeconds}`,
    timestamps: (item) => `${prefix}timestamps:${item}`,
    lock: (className, queue, argsText) => `${prefix}lock:${className}:${queue}:${argsText}`,
    uniqueLock: (className, hash) => `${prefix}airlift:unique:${className}:${hash}`,
    idempotency: (className, hash) => `${prefix}airlift:idempotency:${className}:${hash}`,
    processedBy: (id) => `${prefix}stat:processed:${id}`,
    failedBy: (id) => `${prefix}stat:failed:${id}`,
    queues: `${prefix}queues`,
    workers: `${prefix}workers`,
    heartbeats: `${prefix}workers:heartbeat`,
    pruning: `${prefix}pruning_dead_workers_in_progress`,
    failed: `${prefix}failed`,
    failedQueues: `${prefix}failed_queues`,
    failedOf: (queue) => `${prefix}${queue}_failed`,
    processed: `${prefix}stat:processed`,
    failures: `${prefix}stat:failed`,
    pauseAll: `${prefix}pause-all-workers`,
    delayedSchedule: `${prefix}delayed_queue_schedule`,
    rubySchedulerLock: `${prefix}${prefix || ":"}resque_scheduler_master_lock`,
    retries: `${prefix}airlift:retries`,
    pausedClasses: `${prefix}airlift:paused-classes`,
    running: `${prefix}airlift:running`,
    starts: `${prefix}airlift:starts`,
    job: (id) => `${prefix}airlift:job:${id}`,
    checkins: `${prefix}airlift:checkins`,
    single: (name) => `${prefix}airlift:single:${name}`,
    kick: `${prefix}airlift:kick`,
    scaling: `${prefix}airlift:scaling`,
    lastDrain: `${prefix}airlift:last-drain`,
    drains: `${prefix}airlift:drains`,
    persistentSchedules: `${prefix}persistent_schedules`,
    schedulesChanged: `${prefix}schedules_changed`,
    lastEnqueuedAt: `${prefix}delayed:last_enqueued_at`,
    prefixedSchedulerLock: (lockPrefix) => `${prefix}${prefix || ":"}${lockPrefix}:resque_scheduler_master_lock`,
    cron: `${prefix}airlift:cron`,
  };
}
