# Records what Ruby writes to Redis: each fixture is the state that a few real operations of the gems leave behind, as the commands that make it
# again, in Redis' own protocol. `redis-cli --pipe < FILE` does.
#
#   REDIS_URL=redis://127.0.0.1:6399 ruby record.rb FOLDER     # an empty Redis, and the gems that check.rb asks for
#
# Workers call themselves web1, and paths in backtraces lose what is this machine's. All else is as it comes, clock and process ids too.
require "fileutils"
require "json"

# Rails changes how Ruby writes JSON, so it has a process of its own.
if ARGV[1].nil?
  %w[resque rails].each { |part| system(ENV["AIRLIFT_RUBY"] || "ruby", __FILE__, ARGV.fetch(0), part) || abort("#{part} failed") }
  exit
end

require_relative(ARGV[1] == "rails" ? "rails" : "jobs")

FOLDER = ARGV[0]
REDIS = Redis.new(url: ENV.fetch("REDIS_URL"))
abort "#{ENV["REDIS_URL"]} is not empty" unless REDIS.dbsize.zero?

def commands_of(key)
  case REDIS.type(key)
  when "string" then [["SET", key, REDIS.get(key)]]
  when "list" then [["RPUSH", key, *REDIS.lrange(key, 0, -1)]]
  when "set" then [["SADD", key, *REDIS.smembers(key).sort]]
  when "hash" then [["HSET", key, *REDIS.hgetall(key).sort.flatten]]
  when "zset" then [["ZADD", key, *REDIS.zrange(key, 0, -1, with_scores: true).flat_map { |member, score| [score.to_i.to_s, member] }]]
  end
end

# Longest first: one folder may be in another.
PATHS = [__dir__, *$LOAD_PATH.map(&:to_s)].uniq.sort_by { |path| -path.size }.freeze

def encode(command)
  command = command.map { |part| PATHS.reduce(part) { |text, path| text.gsub("#{path}/", path == __dir__ ? "app/" : "gems/") } }
  command.reduce("*#{command.size}\r\n".b) { |text, part| text << "$#{part.bytesize}\r\n".b << part.b << "\r\n".b }
end

# The state after the block, without what the test classes write themselves.
def record(name)
  yield
  keys = REDIS.keys("resque:*").sort
  commands = keys.flat_map do |key|
    ttl = REDIS.ttl(key)
    commands_of(key) + (ttl.negative? ? [] : [["EXPIRE", key, ttl.to_s]])
  end
  file = File.join(FOLDER, "#{name}.resp")
  FileUtils.mkdir_p(File.dirname(file))
  File.binwrite(file, commands.map { |command| encode(command) }.join)
  puts "#{file}: #{keys.size} keys"
ensure
  REDIS.flushdb
end

def wait_until
  400.times { (value = yield) ? (return value) : sleep(0.05) }
  abort "waited in vain at #{caller.first}"
end

# A real worker process, for as long as the block runs; then it is told to end, or killed with all it has forked.
def with_worker(*queues, host: "web1", kill: false, env: {})
  # Each looks for dead workers at its start, but only if none has within a minute.
  REDIS.del("resque:pruning_dead_workers_in_progress")
  pid = fork do
    Process.setpgid(0, 0)
    env.each { |name, value| ENV[name] = value }
    Resque.data_store.reconnect
    Resque::Failure.backend = Resque::Failure::MultipleWithRetrySuppression if env["SUPPRESS_RETRIED"]
    worker = Resque::Worker.new(*queues)
    worker.hostname = host
    worker.work(0.02)
    exit!
  end
  yield "#{host}:#{pid}:#{queues.join(",")}"
ensure
  Process.kill(kill ? "KILL" : "QUIT", kill ? -Process.getpgid(pid) : pid)
  Process.wait(pid)
end

class Charge
  class Declined < StandardError; end
  @queue = :mail

  def self.perform(*)
    raise Declined, "no \"money\" é\u2028<&>/\n"
  end
end

module Shop
  class Invoice
    @queue = :mail
  end
end

ODD = {
  "none" => [],
  "plain" => [1, "hi", nil, true, false],
  "empty" => [[], {}, "", [[]], { "a" => [], "b" => {} }],
  "floats" => [1.0, -0.0, 0.1, 1e15, 1e16, 1e20, 1e-7, 123456789.123, 1.5e300],
  "integers" => [0, -1, 2**53, 2**53 + 1, -(2**63), 2**64, 10**40],
  "unicode" => ["é漢🚀", "\u2028\u2029", "<&>", "a/b", "\u007f"],
  "escapes" => ["\u0000\b\f\n\r\t\u001f", "\"\\"],
  "keys" => [{ "10" => 1, "9" => 2, "b" => 3, "__proto__" => 4, "" => 5, "a" => { "2" => 1, "1" => 2 } }],
  "symbols" => [:a, { b: :c, 1 => 2, nil => 3 }],
  "times" => [Time.utc(2026, 11, 20, 18, 50, 57.5r), Time.new(2026, 11, 20, 18, 50, 57, "+05:30")],
  "members" => [{ "class" => "X", "args" => [], "queue" => "q", "payload" => { "airlift" => { "crashes" => 1 } } }],
}.freeze

def record_resque
  at = "resque-#{Resque::VERSION.to_i}"
  record("#{at}/payloads") do
    ODD.each { |queue, args| Resque.enqueue_to(queue, Echo, *args) }
    Resque.enqueue_to("module", Shop::Invoice, 1)
  end

  record("#{at}/working") do
    Resque.enqueue(Echo, 1)
    Resque.enqueue(Boom, 2)
    Resque.enqueue(Hold, 1.0, 2**64, [], {}, "é\u2028<&>/", { "10" => 1, "9" => [[]] })
    with_worker("mail", "low", kill: true) { wait_until { REDIS.llen("held") == 1 } }
  end

  record("#{at}/failed") do
    Resque.enqueue(Charge, 1.0, 2**64, [], {}, "é\u2028<&>/", { "10" => 1, "9" => [[]] })
    Resque.enqueue(Die, 1)
    with_worker("mail") { wait_until { REDIS.llen("resque:failed") == 2 } }
    # One that is killed is found by the next on its host, and one on another host after 300 s.
    Resque.enqueue(Hold, 2)
    with_worker("mail", kill: true) { wait_until { REDIS.llen("held") == 1 } }
    with_worker("mail") { wait_until { REDIS.llen("resque:failed") == 3 } }
    Resque.enqueue(Hold, 3)
    id = with_worker("mail", host: "web2", kill: true) { |it| wait_until { REDIS.llen("held") == 2 } && it }
    REDIS.hset("resque:workers:heartbeat", id, (Time.now - 301).iso8601)
    with_worker("mail") { wait_until { REDIS.llen("resque:failed") == 4 } }
    # What other producers put beside class and args; an unknown class; nothing that could be performed.
    REDIS.rpush("resque:queue:mail", '{"class":"Charge","queue":"mail","args":[1.0,1E2,"\u00e9"],"more":[ 1 ]}')
    Resque::Job.create(:mail, "Gone", 4)
    REDIS.rpush("resque:queue:mail", '"just a text"')
    REDIS.rpush("resque:queue:mail", '{"args":[1]}')
    with_worker("mail") { wait_until { REDIS.llen("resque:failed") == 8 } }
    Resque::Failure.requeue(0)
    Resque::Failure.requeue(4)
    REDIS.del("resque:pruning_dead_workers_in_progress")
  end

  require "resque/failure/redis_multi_queue"
  record("#{at}/failed-queues") do
    Resque::Failure.backend = Resque::Failure::RedisMultiQueue
    Resque.enqueue_to("mail", Charge, 1)
    Resque.enqueue_to("low", Charge, 2)
    with_worker("mail", "low") { wait_until { REDIS.llen("resque:low_failed") == 1 } }
    Resque::Failure.requeue(0, "mail_failed")
    REDIS.del("resque:pruning_dead_workers_in_progress")
  end
  Resque::Failure.backend = Resque::Failure::Redis
end

LATER = 4_000_000_000

def record_scheduler
  at = "resque-scheduler-#{Resque::Scheduler::VERSION.to_i}"
  record("#{at}/delayed") do
    ODD.each_value { |args| Resque.enqueue_at(LATER + 0.999r, Echo, *args) }
    Resque.enqueue_at_with_queue("low", LATER + 60, Shop::Invoice, 1)
    # Alike, at two times and twice at one.
    3.times { |n| Resque.enqueue_at(LATER + n / 2 * 60, Echo, "alike") }
  end

  record("#{at}/schedules") do
    Resque.set_schedule("tea", { every: "1s", class: "Echo", queue: :mail, args: { "sort" => "green", "cups" => 2 }, persist: true })
    Resque.set_schedule("night", { cron: "30 2 * * * Europe/Berlin", class: "Echo", queue: :low, description: "é <&>\u2028", persist: true })
    Resque.set_schedule("soon", { every: ["1h", { first_in: "5m" }], class: "Shop::Invoice", args: [1, []], rails_env: "production", persist: true })
    pid = spawn(RbConfig.ruby, File.join(__dir__, "scheduler.rb"))
    wait_until { REDIS.hexists("resque:delayed:last_enqueued_at", "tea") && REDIS.exists?("resque:queue:mail") }
    Process.kill("KILL", pid)
    Process.wait(pid)
    Resque.remove_schedule("soon")
    Resque.set_schedule("soon", { every: ["1h", { first_in: "5m" }], class: "Shop::Invoice", args: [1, []], rails_env: "production", persist: true })
    REDIS.set("resque:resque:resque_scheduler_master_lock", "web1:#{pid}", keepttl: true)
  end
end

def record_retry
  record("resque-retry-#{ResqueRetry::VERSION.to_i}/retrying") do
    REDIS.set("fail", 1)
    Flaky.instance_variable_set(:@retry_delay, LATER - Time.now.to_i)
    Resque.enqueue(Flaky, 1.0, "é", { "k" => [] })
    Resque.enqueue(Flaky)
    with_worker("mail", env: { "SUPPRESS_RETRIED" => "1" }) { wait_until { REDIS.keys("resque:failure-*").size == 2 } }
    REDIS.del("resque:pruning_dead_workers_in_progress")
  end
end

def record_rails
  at = "active-job-#{ActiveJob.version.segments.first}"
  args = [:now, Time.utc(2026, 1, 2, 3, 4, 5.5r), Invoice.new(7), { a: 1, "b" => [nil] }, 1.5.days, "é<&>\u2028", 2.0, 2**64]
  record("#{at}/enqueued") do
    InvoiceJob.perform_later(*args, format: "pdf")
    InvoiceJob.set(wait_until: Time.at(LATER), queue: :low, priority: 3).perform_later(*args)
  end
  record("#{at}/retried") do
    REDIS.set("fail", 1)
    FlakyJob.perform_later(*args)
    with_worker("mail") { wait_until { REDIS.keys("resque:timestamps:*").size == 1 } }
    REDIS.del("resque:pruning_dead_workers_in_progress")
  end
end

if ARGV[1] == "rails"
  record_rails
else
  record_resque
  record_scheduler
  record_retry if defined?(Resque::Plugins::Retry)
end
