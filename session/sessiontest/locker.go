package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/session"
)

// A Process stands for one of several that use the same locks; see [Locker].
type Process struct {
	Locker session.Locker

	// Lease is how long a lock outlives a process that dies with it. The tests wait for
	// several, so a second is better than a minute. Zero says that there are no leases,
	// and leaves out what is said about them: right for a Locker within one process only.
	Lease time.Duration

	// Kill makes the process one that is dead or cut off: from then on nothing of it
	// reaches the others, and nothing is given back. A connection that is cut will do.
	// Nil leaves out what happens after a death.
	Kill func()
}

// What a Locker may take for things that should take no time.
const (
	waits   = 200 * time.Millisecond // a lock that is held is waited for so long, in vain
	tooLong = 3 * time.Second        // for what follows at once
)

// Locker tests every clause of [session.Locker]. It calls open twice for each of them: the
// two processes share their locks. A Locker that works within one process only gives the same
// one both times.
func Locker[T TB[T]](t T, open func(t T) Process) {
	t.Helper()
	for _, clause := range lockerClauses {
		t.Run(clause.name, func(t T) {
			clause.check(lockerTest{t, open(t), open(t)})
		})
	}
}

var lockerClauses = [...]struct {
	name  string
	check func(t lockerTest)
}{
	{"Excludes", lockerTest.excludes},
	{"WaitsUntilUnlock", lockerTest.waitsUntilUnlock},
	{"WaitEndsWithContext", lockerTest.waitEndsWithContext},
	{"EndedContext", lockerTest.endedContext},
	{"HeldIsMadeOfContext", lockerTest.heldIsMadeOfContext},
	{"HeldEndsWithContext", lockerTest.heldEndsWithContext},
	{"UnlockTwice", lockerTest.unlockTwice},
	{"TellsKeysApart", lockerTest.tellsKeysApart},
	{"LeavesValuesAlone", lockerTest.leavesValuesAlone},
	{"Renews", lockerTest.renews},
	{"DeadHolder", lockerTest.deadHolder},
	{"LeavesNoGoroutine", lockerTest.leavesNoGoroutine},
}

type lockerTest struct {
	reporter
	one, other Process
}

// lock takes a lock that is free, or becomes so within a time.
func (t lockerTest) lock(p Process, key string, within time.Duration) (held context.Context, unlock func()) {
	t.Helper()
	waiting, enough := context.WithCancel(t.Context())
	timer := time.AfterFunc(within, enough)
	held, giveBack, err := p.Locker.Lock(waiting, key)
	if err != nil || held == nil || giveBack == nil {
		enough()
		t.Fatalf("Lock of what is free: %v (held is nil: %t, unlock is nil: %t)", err, held == nil, giveBack == nil)
	}
	timer.Stop()
	return held, giveBack
}

// refuses asserts that a lock is not to be had for a time, and that waiting ends with ctx.
func (t lockerTest) refuses(p Process, key string, wait time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		_, unlock, err := p.Locker.Lock(ctx, key)
		if err == nil {
			unlock()
		}
		returned <- err
	}()
	timer := time.NewTimer(wait + tooLong)
	defer timer.Stop()
	select {
	case err := <-returned:
		if err == nil {
			t.Errorf("Lock gives a lock that another holds")
		}
	case <-timer.C:
		t.Fatalf("Lock still waits %v after its context ended", tooLong)
	}
}

// ends asserts that a context ends soon.
func (t lockerTest) ends(held context.Context, after string) {
	t.Helper()
	timer := time.NewTimer(tooLong)
	defer timer.Stop()
	select {
	case <-held.Done():
	case <-timer.C:
		t.Errorf("held has not ended %v after %s", tooLong, after)
	}
}

func (t lockerTest) lives(held context.Context, while string) {
	t.Helper()
	if held.Err() != nil {
		t.Errorf("held has ended %s: %v", while, context.Cause(held))
	}
}

func (t lockerTest) excludes() {
	const workers, rounds = 6, 5
	key := newKey()
	var inside atomic.Int32
	var all sync.WaitGroup
	for worker := range workers {
		p := t.one
		if worker%2 == 1 {
			p = t.other
		}
		all.Go(func() {
			for range rounds {
				ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
				held, unlock, err := p.Locker.Lock(ctx, key)
				if err != nil {
					t.Errorf("Lock, beside others: %v", err)
					cancel()
					return
				}
				if n := inside.Add(1); n > 1 {
					t.Errorf("%d hold the lock at once", n)
				}
				yield()
				t.lives(held, "while the lock is held")
				inside.Add(-1)
				unlock()
				cancel()
			}
		})
	}
	all.Wait()
}

// yield lets others run, were they allowed to.
func yield() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 3 {
		<-tick.C
		runtime.Gosched()
	}
}

func (t lockerTest) waitsUntilUnlock() {
	key := newKey()
	held, unlock := t.lock(t.one, key, patience)
	got := make(chan func(), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	go func() {
		_, unlock, err := t.other.Locker.Lock(ctx, key)
		if err != nil {
			t.Errorf("Lock of what becomes free: %v", err)
			unlock = func() {}
		}
		got <- unlock
	}()
	wait := time.NewTimer(waits)
	defer wait.Stop()
	select {
	case second := <-got:
		t.Errorf("Lock gives a lock that another holds")
		unlock()
		second()
		return
	case <-wait.C:
	}
	t.lives(held, "while another waits")
	freed := time.Now()
	unlock()
	t.ends(held, "unlock")
	(<-got)()
	if took := time.Since(freed); took > tooLong {
		t.Errorf("who waits gets the lock %v after unlock", took)
	}
}

func (t lockerTest) waitEndsWithContext() {
	key := newKey()
	held, unlock := t.lock(t.one, key, patience)
	t.refuses(t.other, key, waits)
	t.refuses(t.one, key, waits) // nor twice in one process
	t.lives(held, "while others waited in vain")
	unlock()
	_, unlock = t.lock(t.other, key, tooLong) // who gave up has left nothing
	unlock()
}

func (t lockerTest) endedContext() {
	key := newKey()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, unlock, err := t.one.Locker.Lock(ended, key); err == nil {
		unlock()
		t.Errorf("Lock gives a lock under a context that has ended")
	}
	_, unlock := t.lock(t.other, key, tooLong)
	unlock()
}

func (t lockerTest) heldIsMadeOfContext() {
	type name struct{}
	ctx := context.WithValue(t.Context(), name{}, "value")
	held, unlock, err := t.one.Locker.Lock(ctx, newKey())
	if err != nil {
		t.Fatalf("Lock of what is free: %v", err)
	}
	if held.Value(name{}) != "value" {
		t.Errorf("held lacks the values of the context it is made of")
	}
	t.lives(held, "before unlock")
	unlock()
	t.ends(held, "unlock")
}

func (t lockerTest) heldEndsWithContext() {
	key := newKey()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	held, unlock, err := t.one.Locker.Lock(ctx, key)
	if err != nil {
		t.Fatalf("Lock of what is free: %v", err)
	}
	cancel()
	t.ends(held, "its context")
	unlock() // works nevertheless, and not only when the lease ends
	soon := tooLong
	if t.one.Lease > 0 {
		soon = t.one.Lease / 2
	}
	_, unlock = t.lock(t.other, key, soon)
	unlock()
}

func (t lockerTest) unlockTwice() {
	key := newKey()
	_, first := t.lock(t.one, key, patience)
	first()
	first()
	held, second := t.lock(t.other, key, patience)
	first() // the lock is another's now
	t.refuses(t.one, key, waits)
	t.lives(held, "by the unlock of who had the lock before")
	second()
	second()
}

func (t lockerTest) tellsKeysApart() {
	stem := newKey()
	for _, key := range []string{stem + "-aB", stem + "-Ab", stem + "-ab", stem + "_ab", stem + ".ab", stem, newKey()} {
		_, unlock := t.lock(t.one, key, tooLong)
		defer unlock()
	}
	t.refuses(t.other, stem, waits)
}

// leavesValuesAlone is about a Locker that is a Store too: a lock and a value may have one key.
func (t lockerTest) leavesValuesAlone() {
	store, ok := t.one.Locker.(session.Store)
	if !ok {
		return
	}
	key := newKey()
	values := storeTest{t.reporter, store, store}
	_, unlock := t.lock(t.one, key, patience)
	values.lacks(store, key)
	values.save(store, key, []byte("value"), longLife)
	values.delete(store, key)
	t.refuses(t.other, key, waits)
	values.save(store, key, []byte("value"), longLife)
	unlock()
	values.holds(store, key, []byte("value"))
	_, unlock = t.lock(t.other, key, patience)
	unlock()
}

// renews holds a lock for several leases.
func (t lockerTest) renews() {
	if t.one.Lease == 0 {
		return
	}
	key := newKey()
	held, unlock := t.lock(t.one, key, patience)
	defer unlock()
	t.refuses(t.other, key, 3*t.one.Lease)
	t.lives(held, "before unlock, three leases later")
}

// deadHolder kills a process that holds a lock: another gets it after the lease, and not
// before the first knows that it lost it.
func (t lockerTest) deadHolder() {
	if t.one.Lease == 0 || t.one.Kill == nil {
		return
	}
	key := newKey()
	held, unlock, err := t.one.Locker.Lock(t.Context(), key)
	if err != nil {
		t.Fatalf("Lock of what is free: %v", err)
	}
	t.refuses(t.other, key, 2*t.one.Lease) // so that it has been renewed
	t.one.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 2*t.one.Lease+tooLong)
	defer cancel()
	_, second, err := t.other.Locker.Lock(ctx, key)
	lost := held.Err()
	if err != nil {
		t.Errorf("Lock, after the holder died: %v", err)
	} else if lost == nil {
		t.Errorf("held has not ended, and another has the lock")
	}
	t.ends(held, "the lease was lost")
	begin := time.Now()
	unlock() // what is lost, and from where nothing is heard
	if took := time.Since(begin); took > tooLong {
		t.Errorf("unlock of a lock that was lost takes %v", took)
	}
	if errors.Is(err, context.DeadlineExceeded) || second == nil {
		return
	}
	second()
}

func (t lockerTest) leavesNoGoroutine() {
	const many = 50
	key := newKey()
	pprof.Do(t.Context(), pprof.Labels(clauseLabel, key), func(context.Context) {
		for range many {
			_, unlock := t.lock(t.one, key, patience)
			t.refuses(t.other, key, look)
			unlock()
		}
	})
	tick := time.NewTicker(look)
	defer tick.Stop()
	begin := time.Now()
	for {
		left := goroutinesOf(t, key)
		if left <= many/2 { // connections may have some
			return
		}
		if time.Since(begin) > tooLong {
			t.Errorf("%d goroutines are left, after %d locks were given back and as many not waited for", left, many)
			return
		}
		<-tick.C
	}
}

// clauseLabel is inherited by goroutines: so those of other tests do not count.
const clauseLabel = "postern/sessiontest"

var goroutineCount = regexp.MustCompile(`(?m)^(\d+) @.*\n# labels: (.*)$`)

// goroutinesOf counts the goroutines that were started under a value of the label.
func goroutinesOf(t lockerTest, value string) int {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatalf("the goroutines cannot be counted: %v", err)
	}
	n := 0
	for _, group := range goroutineCount.FindAllStringSubmatch(profile.String(), -1) {
		if strings.Contains(group[2], strconv.Quote(value)) {
			count, _ := strconv.Atoi(group[1]) // digits
			n += count
		}
	}
	return n
}
