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
	"strings"
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
	shares    []share // further bounds
}

// A share is how much of a peer's time a row of ours may take at most.
type share struct {
	peer string
	most float64
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

// A measured row has its nanoseconds round by round, and its last result.
type measured struct {
	row
	times []float64
	last  testing.BenchmarkResult
}

// measure prints the table and tells whether every row is within its bounds.
func (t table) measure(rounds int) bool {
	rows := make([]measured, len(t.rows))
	for range rounds {
		for i, r := range t.rows {
			result := testing.Benchmark(r.run)
			if result.N == 0 {
				fmt.Fprintf(os.Stderr, "%s: %s failed\n", t.name, r.name)
				os.Exit(2)
			}
			ns := float64(result.T.Nanoseconds()) / float64(result.N)
			rows[i] = measured{r, append(rows[i].times, ns), result}
		}
	}
	fmt.Printf("\n%s\n", t.name)
	ok := true
	for _, r := range rows {
		verdict := r.verdict(rows)
		ok = ok && !strings.HasPrefix(verdict, "OVER")
		fmt.Printf("  %-34s %9.0f ns  %5.2fx  %6d B  %4d allocs (%+d)  %s\n",
			r.name, median(r.times), r.of(&rows[0]), r.last.AllocedBytesPerOp(), r.last.AllocsPerOp(), r.above(rows), verdict)
	}
	return ok
}

// of is the median over the rounds of the time of r divided by that of other.
func (r *measured) of(other *measured) float64 {
	ratios := make([]float64, len(r.times))
	for i := range ratios {
		ratios[i] = r.times[i] / other.times[i]
	}
	return median(ratios)
}

// above is how many allocations r has more than the floor.
func (r *measured) above(rows []measured) int64 {
	return r.last.AllocsPerOp() - rows[0].last.AllocsPerOp()
}

// verdict is empty for a row without bounds, and begins with OVER where r is over one.
func (r *measured) verdict(rows []measured) string {
	if r.ratio == 0 {
		return ""
	}
	shares, late := "", r.of(&rows[0]) > r.ratio
	for _, s := range r.shares {
		peer := &rows[slices.IndexFunc(rows, func(m measured) bool { return m.name == s.peer })]
		share := r.of(peer)
		if share > s.most*slack {
			return fmt.Sprintf("OVER %.2f of %s: %.2f", s.most, s.peer, share)
		}
		late = late || share > s.most
		shares += fmt.Sprintf(", %.2f of %s", share, s.peer)
	}
	switch {
	case r.of(&rows[0]) > r.ratio*slack:
		return fmt.Sprintf("OVER %.2fx", r.ratio)
	case !r.anyAllocs && r.above(rows) > r.allocs:
		return fmt.Sprintf("OVER %d allocations above the floor", r.allocs)
	case late:
		return fmt.Sprintf("over %.2fx%s, within the slack of a busy machine", r.ratio, shares)
	}
	return fmt.Sprintf("within %.2fx%s", r.ratio, shares)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
