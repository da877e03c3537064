package simulation

import (
	"fmt"
	"math"
	"strings"
)

// ReadyTimes returns the simulated times from the creation of a pod until it is ready,
// in seconds.
func ReadyTimes() []float64 { return []float64{60, 180} }

// Row has the figures of one system with one traffic and one time until pods are ready.
type Row struct {
	Traffic    string
	ReadyAfter float64
	System     string
	Figures    Figures
}

// Verdict compares TMS with a peer on the first two figures.
type Verdict string

const (
	// Wins: at most the same on both.
	Wins Verdict = "wins"
	// Buys: waits less, costs more.
	Buys Verdict = "buys"
	// Saves: waits more, costs less.
	Saves Verdict = "saves"
	// Loses: waits more, and costs as much or more. With -gate the run fails.
	Loses Verdict = "LOSES"
)

// Compare compares the figures of TMS with those of a peer.
func Compare(ours, peer Figures) Verdict {
	waitsMore, costsMore := ours.OverThreshold > peer.OverThreshold, ours.ReplicaSeconds > peer.ReplicaSeconds
	switch {
	case !waitsMore && !costsMore:
		return Wins
	case !waitsMore:
		return Buys
	case ours.ReplicaSeconds < peer.ReplicaSeconds:
		return Saves
	}
	return Loses
}

// Report returns the rows as a Markdown table. The first system of each case is TMS.
func Report(rows []Row) string {
	var b strings.Builder
	b.WriteString("| traffic | pods ready after | system | request-seconds above the threshold | replica-seconds | changes of direction | TMS compared with it |\n")
	b.WriteString("|---|---:|---|---:|---:|---:|---|\n")
	var ours Row
	for _, row := range rows {
		traffic, ready, verdict := "", "", ""
		if row.Traffic != ours.Traffic || row.ReadyAfter != ours.ReadyAfter {
			ours = row
			traffic, ready = row.Traffic, fmt.Sprintf("%.0f s", row.ReadyAfter)
		} else {
			verdict = string(Compare(ours.Figures, row.Figures))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f | %s |\n", traffic, ready, row.System,
			grouped(row.Figures.OverThreshold), grouped(row.Figures.ReplicaSeconds), row.Figures.DirectionChanges, verdict)
	}
	return b.String()
}

// grouped formats a number without decimals, with its digits in groups of three.
func grouped(value float64) string {
	digits := fmt.Sprintf("%.0f", value)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// summary compares a variant with the chart's default and with the peers.
type summary struct {
	over, cost, changes float64 // geometric means of the variant's figures relative to the default's
	verdicts            map[Verdict]int
}

// summarize compares the rows of a variant with those of the default, and with the
// peers of each case.
func summarize(variant, standard []Row, peers map[string][]Row) summary {
	s := summary{verdicts: map[Verdict]int{}}
	n := float64(len(variant))
	for i, row := range variant {
		s.over += math.Log((1+row.Figures.OverThreshold)/(1+standard[i].Figures.OverThreshold)) / n
		s.cost += math.Log(row.Figures.ReplicaSeconds/standard[i].Figures.ReplicaSeconds) / n
		s.changes += math.Log((1+row.Figures.DirectionChanges)/(1+standard[i].Figures.DirectionChanges)) / n
		for _, peer := range peers[row.id()] {
			s.verdicts[Compare(row.Figures, peer.Figures)]++
		}
	}
	s.over, s.cost, s.changes = math.Exp(s.over), math.Exp(s.cost), math.Exp(s.changes)
	return s
}

// id returns the name of a row's case: its traffic and the time until pods are ready.
func (r Row) id() string { return fmt.Sprintf("%s/%.0fs", r.Traffic, r.ReadyAfter) }

// mean returns the mean of several runs.
func mean(runs []Figures) (m Figures) {
	n := float64(len(runs))
	for _, r := range runs {
		m.OverThreshold += r.OverThreshold / n
		m.ReplicaSeconds += r.ReplicaSeconds / n
		m.DirectionChanges += r.DirectionChanges / n
	}
	return m
}
