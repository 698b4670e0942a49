# A real resque-scheduler, its schedules in Redis.
require_relative "jobs"

Resque::Scheduler.configure do |config|
  config.dynamic = true
  config.poll_sleep_amount = 0.1
  config.quiet = true
end
Resque::Scheduler.run
