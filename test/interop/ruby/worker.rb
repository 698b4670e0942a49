# A real Resque worker: `ruby worker.rb QUEUE…`. WORKER_HOST names its host, JOBS=rails makes it one of a Rails app.
require_relative(ENV["JOBS"] == "rails" ? "rails" : "jobs")

Resque::Failure.backend = Resque::Failure::MultipleWithRetrySuppression if ENV["SUPPRESS_RETRIED"]
worker = Resque::Worker.new(*ARGV)
worker.hostname = ENV["WORKER_HOST"] if ENV["WORKER_HOST"]
worker.work(0.02)
