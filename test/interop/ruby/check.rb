# Prints, as JSON, the versions of what the tests beside Ruby need, and why something cannot be loaded.
require "json"

NEEDED = {
  "resque" => %w[resque resque/server],
  "resque-scheduler" => %w[resque-scheduler resque/scheduler/server],
  "resque-retry" => %w[resque-retry resque-retry/server],
  "active_job" => %w[logger active_job global_id],
  "webrick" => %w[webrick],
}.freeze

missing = NEEDED.each_with_object({}) do |(name, files), found|
  files.each { |file| require file }
rescue LoadError => e
  found[name] = e.message.lines.first.strip
end

VERSIONS = {
  "ruby" => -> { RUBY_VERSION },
  "resque" => -> { Resque::VERSION },
  "resque-scheduler" => -> { Resque::Scheduler::VERSION },
  "resque-retry" => -> { ResqueRetry::VERSION },
  "active_job" => -> { ActiveJob.version.to_s },
  "redis" => -> { Redis::VERSION },
  "redis-namespace" => -> { Redis::Namespace::VERSION },
  "multi_json" => -> { "#{MultiJson::VERSION} (#{MultiJson.adapter.name[/\w+\z/]})" },
  "json" => -> { JSON::VERSION },
  "rufus-scheduler" => -> { Rufus::Scheduler::VERSION },
  "sinatra" => -> { Sinatra::VERSION },
  "rack" => -> { Rack.release },
}.freeze

versions = VERSIONS.each_with_object({}) do |(name, read), found|
  found[name] = read.call
rescue NameError
  nil
end

puts JSON.generate(versions: versions, missing: missing)
