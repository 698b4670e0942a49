# Evaluates Ruby for a test: each line of input is JSON, the code and what it sees as `args`; each line of output its value, or its error.
#
#   ruby console.rb [rails]
require_relative(ARGV.first == "rails" ? "rails" : "jobs")

replies = $stdout.dup
replies.sync = true
$stdout.reopen($stderr) # What Resque prints is no reply.

def evaluate(code, args)
  eval(code, binding, "test", 1)
end

$stdin.each_line do |line|
  request = JSON.parse(line)
  reply = begin
    { value: evaluate(request["code"], request["args"]) }
  rescue Exception => e # rubocop:disable Lint/RescueException
    { error: "#{e.class}: #{e.message}", backtrace: Array(e.backtrace).first(10) }
  end
  replies.puts JSON.generate(reply)
end
