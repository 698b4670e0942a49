# resque-web with the tabs of resque-scheduler and resque-retry, on a free port of this machine, which is printed.
ENV["RACK_ENV"] = "production"
require_relative "jobs"
require "resque/server"
require "resque/scheduler/server"
require "resque-retry/server" if defined?(Resque::Plugins::Retry)
require "webrick"
begin
  require "rackup/handler/webrick"
  HANDLER = Rackup::Handler::WEBrick
rescue LoadError
  require "rack/handler/webrick"
  HANDLER = Rack::Handler::WEBrick
end

Resque::Scheduler.dynamic = true
Resque::Server.disable :show_exceptions
app = Rack::Builder.new do
  use Rack::MethodOverride
  run Resque::Server.new
end
silent = WEBrick::Log.new($stderr, WEBrick::Log::WARN)
port = Integer(ENV.fetch("PORT", "0"))
HANDLER.run(app.to_app, Host: "127.0.0.1", Port: port, Logger: silent, AccessLog: []) do |server|
  $stdout.puts server.listeners.first.addr[1]
  $stdout.flush
end
