# Enqueues jobs as any Ruby program does. Reads lines of JSON, [queue, {"class":…,"args":[…]}], and prints each payload's bytes, as JSON's text, once
# Redis has taken it.
require "json"
require "resque"

Resque.redis = ENV.fetch("REDIS_URL")
$stdin.each_line do |line|
  queue, job = JSON.parse(line)
  Resque::Job.create(queue, job["class"], *job["args"])
  $stdout.puts Resque.encode(class: job["class"], args: job["args"])
end
