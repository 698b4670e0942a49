# A Ruby producer: enqueues jobs with distinct numbers, and prints each payload's bytes once Redis has taken it.
#
#   REDIS_URL=redis://… ruby enqueue.rb COUNT [QUEUE…] [--class NAME] [--from NUMBER] [--delay SECONDS]
#
# The args are the number and some of what other languages write differently. With --delay each job waits for a random time up to that.
require "optparse"
require "resque"
require "resque-scheduler"

options = { class: "Echo", from: 0, delay: 0.0 }
parser = OptionParser.new do |opts|
  opts.banner = "usage: ruby enqueue.rb COUNT [QUEUE…] [options]"
  opts.on("--class NAME")
  opts.on("--from NUMBER", Integer)
  opts.on("--delay SECONDS", Float)
end
count, *queues = parser.parse!(into: options)
abort parser.help unless count&.match?(/\A\d+\z/)
queues = ["mail"] if queues.empty?

Resque.redis = ENV.fetch("REDIS_URL")
ODD = [1.0, 2**64, [], {}, { "10" => nil, "b" => [[]] }, "é\u2028<&>/\n"].freeze

Integer(count).times do |index|
  number = options[:from] + index
  queue = queues[index % queues.size]
  args = [number, ODD[number % ODD.size]]
  if options[:delay].positive?
    Resque.enqueue_in_with_queue(queue, 1 + rand * options[:delay], options[:class], *args)
  else
    Resque::Job.create(queue, options[:class], *args)
  end
  $stdout.puts Resque.encode(class: options[:class], args: args)
end
