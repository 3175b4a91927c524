package syslog

import "sync"

// queue holds messages up to a number of bytes. The newest are dropped when it is full, as dockerd's ring does.
type queue struct {
	max int64

	mu    sync.Mutex
	wake  *sync.Cond
	all   [][]byte
	size  int64
	ended bool
}

func newQueue(max int64) *queue {
	q := &queue{max: max}
	q.wake = sync.NewCond(&q.mu)
	return q
}

// put adds a message, or drops it when others fill the queue.
func (q *queue) put(message []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended || len(q.all) > 0 && q.size+int64(len(message)) > q.max {
		return
	}
	q.all = append(q.all, message)
	q.size += int64(len(message))
	q.wake.Signal()
}

// take waits for a message; it is false when the queue has ended and is empty.
func (q *queue) take() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.all) == 0 && !q.ended {
		q.wake.Wait()
	}
	if len(q.all) == 0 {
		return nil, false
	}
	message := q.all[0]
	q.all[0] = nil
	q.all = q.all[1:]
	q.size -= int64(len(message))
	return message, true
}

// end lets take go on until the queue is empty.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.wake.Broadcast()
}
