# Sidekiq as it is: jobs, and one for later.
# ruby sidekiq.rb URL DONE        gives the jobs and waits; the worker writes a line to DONE for each
# sidekiq -r ./sidekiq.rb         the worker, which `ruby sidekiq.rb` starts
require "sidekiq"

# This version of Sidekiq is older than redis-rb's warning.
Redis.sadd_returns_boolean = false
JOBS = 40
URL = ENV["FRONT_URL"] || ARGV[0]
DONE = ENV["FRONT_DONE"] || ARGV[1]
Sidekiq.configure_server { |config| config.redis = { url: URL } }
Sidekiq.configure_client { |config| config.redis = { url: URL } }

class Mail
  include Sidekiq::Worker
  def perform(number)
    File.open(DONE, "a") { |file| file.flock(File::LOCK_EX) && file.puts(number) }
  end
end

unless Sidekiq.server?
  JOBS.times { |number| Mail.perform_async(number) }
  Mail.perform_in(1, JOBS)
  environment = { "FRONT_URL" => URL, "FRONT_DONE" => DONE }
  options = ["-r", "./sidekiq.rb", "-c", "2", "-e", "production"]
  worker = spawn(environment, "sidekiq", *options, out: "#{DONE}.log", err: "#{DONE}.log")
  done = []
  600.times do
    done = File.exist?(DONE) ? File.readlines(DONE).map(&:to_i).sort : []
    break if done.size > JOBS
    sleep 0.1
  end
  Process.kill("TERM", worker)
  Process.wait(worker)
  abort "not all jobs were done: #{done}\n#{File.read("#{DONE}.log")}" unless done == [*0..JOBS]
  puts "Sidekiq #{Sidekiq::VERSION}: #{JOBS} jobs and one for later, all done"
end
