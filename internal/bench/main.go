// Command bench measures what Postern costs beside the floor (the bare
// cryptography) and beside what people would use instead, as ratios in one run.
// Absolute times say little on a shared machine; the ratio of two rows measured
// in alternation says a lot.
//
//	go run .          the tables
//	go run . -gate    and fail where a row of ours is over its bound
//
// A row is the median over the rounds of its time divided by that of the first
// row of its table in the same round.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// slack is what a time ratio may exceed its bound by before the gate closes;
// allocations have none, because they repeat exactly.
const slack = 1.10

// A table is one floor, what we add to it, and the peers.
type table struct {
	name string
	rows []row // the first is the floor
}

type row struct {
	name      string
	run       func(b *testing.B)
	ratio     float64 // the bound of a row of ours; 0: none
	allocs    int64   // at most so many above the floor's, where ratio is set
	anyAllocs bool
}

func main() {
	testing.Init()
	gate := flag.Bool("gate", false, "fail where a row is over its bound")
	rounds := flag.Int("rounds", 10, "rounds, interleaved")
	period := flag.Duration("time", 60*time.Millisecond, "how long a row runs in one round")
	flag.Parse()
	if err := flag.Set("test.benchtime", period.String()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ok := true
	for _, t := range slices.Concat(tokenTables(), sessionTables(), loginTables()) {
		ok = t.measure(*rounds) && ok
	}
	if *gate && !ok {
		os.Exit(1)
	}
}

// measure prints the table and tells whether every row is within its bound.
func (t table) measure(rounds int) bool {
	times := make([][]float64, len(t.rows)) // nanoseconds, by row and round
	ratios := make([][]float64, len(t.rows))
	last := make([]testing.BenchmarkResult, len(t.rows))
	for range rounds {
		for i, r := range t.rows {
			last[i] = testing.Benchmark(r.run)
			if last[i].N == 0 {
				fmt.Fprintf(os.Stderr, "%s: %s failed\n", t.name, r.name)
				os.Exit(2)
			}
			ns := float64(last[i].T.Nanoseconds()) / float64(last[i].N)
			times[i] = append(times[i], ns)
			ratios[i] = append(ratios[i], ns/times[0][len(times[0])-1])
		}
	}
	fmt.Printf("\n%s\n", t.name)
	ok := true
	for i, r := range t.rows {
		ratio, above := median(ratios[i]), last[i].AllocsPerOp()-last[0].AllocsPerOp()
		verdict := ""
		switch {
		case r.ratio == 0:
		case ratio > r.ratio*slack:
			verdict = fmt.Sprintf("OVER %.2fx", r.ratio)
		case !r.anyAllocs && above > r.allocs:
			verdict = fmt.Sprintf("OVER %d allocations above the floor", r.allocs)
		case ratio > r.ratio:
			verdict = fmt.Sprintf("over %.2fx, within the slack of a busy machine", r.ratio)
		default:
			verdict = fmt.Sprintf("within %.2fx", r.ratio)
		}
		ok = ok && (len(verdict) < 4 || verdict[:4] != "OVER")
		fmt.Printf("  %-34s %9.0f ns  %5.2fx  %6d B  %4d allocs (%+d)  %s\n",
			r.name, median(times[i]), ratio, last[i].AllocedBytesPerOp(), last[i].AllocsPerOp(), above, verdict)
	}
	return ok
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
