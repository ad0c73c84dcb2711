-- Returns the numbers of waiting, delayed, claimed and dead tasks, and 1 if the queue is paused.
return {redis.call('ZCARD', ready), redis.call('ZCARD', delayed), redis.call('ZCARD', leases),
  redis.call('ZCARD', dead), redis.call('HEXISTS', meta, 'paused')}
