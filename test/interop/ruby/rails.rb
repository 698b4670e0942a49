# A Rails app as far as Active Job goes: its Resque adapter, two job classes, a model.
require "logger"
require "active_support"
require "active_support/all"
require_relative "jobs"
require "active_job"
require "global_id"

GlobalID.app = "shop"
Time.zone = "UTC"
ActiveJob::Base.queue_adapter = :resque
ActiveJob::Base.logger = Logger.new(nil)

class Invoice
  include GlobalID::Identification
  attr_reader :id

  def initialize(id)
    @id = id
  end

  def self.find(id)
    new(id.to_i)
  end

  def ==(other)
    other.is_a?(Invoice) && other.id == id
  end

  def inspect
    "#<Invoice #{id}>"
  end
end

class InvoiceJob < ActiveJob::Base
  queue_as :mail

  def perform(*args, **options)
    told = { class: self.class.name, inspect: [args, options].inspect, executions: executions, locale: I18n.locale, zone: Time.zone.name }
    Resque.redis.redis.rpush("ran", JSON.generate(told))
  end
end

class FlakyJob < ActiveJob::Base
  class NotYet < StandardError; end
  queue_as :mail
  retry_on NotYet, wait: 1, attempts: 3

  def perform(*args)
    Resque.redis.redis.rpush("ran", JSON.generate(class: self.class.name, inspect: args.inspect, executions: executions))
    raise NotYet, "not yet" if Resque.redis.redis.get("fail")
  end
end
