# What each Ruby process of these tests begins with: Resque on REDIS_URL, and classes whose jobs tell in the list `ran` what they were given.
require "json"
require "logger"
require "resque"
require "resque-scheduler"
begin
  require "resque-retry"
rescue LoadError
  nil # Its tests are skipped then.
end

Resque.redis = ENV.fetch("REDIS_URL")
Resque.logger = Logger.new($stderr, level: Logger::WARN)

# The Redis itself, without Resque's namespace.
def plain_redis
  Resque.redis.redis
end

def ran(klass, args)
  plain_redis.rpush("ran", JSON.generate(class: klass.name, json: Resque.encode(args), inspect: args.inspect))
end

class Echo
  @queue = :mail

  def self.perform(*args)
    ran(self, args)
  end
end

module Shop
  class Order < Echo
    @queue = :mail
  end
end

class Boom
  @queue = :mail

  def self.perform(*args)
    ran(self, args)
    raise ArgumentError, "boom: #{args.first}"
  end
end

# Runs until the key `go` is there, or the worker that forked it is gone.
class Hold
  @queue = :mail

  def self.perform(*args)
    parent = Process.ppid
    plain_redis.rpush("held", args.first.to_s)
    sleep 0.02 until plain_redis.get("go") || Process.ppid != parent
    ran(self, args)
  end
end

class Die
  @queue = :mail

  def self.perform(*)
    Process.kill("KILL", Process.pid)
    sleep
  end
end

if defined?(Resque::Plugins::Retry)
  require "resque/failure/redis"
  Resque::Failure::MultipleWithRetrySuppression.classes = [Resque::Failure::Redis]

  # Fails while the key `fail` is there.
  class Flaky
    extend Resque::Plugins::Retry
    @queue = :mail
    @retry_limit = 3
    @retry_delay = 1

    def self.perform(*args)
      ran(self, args)
      raise IOError, "not yet" if plain_redis.get("fail")
    end
  end
end
