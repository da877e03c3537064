package hpasim

import (
	"fmt"
	"math"
	"strings"
)

// ReadyTimes are how long pods take until they serve, in seconds.
func ReadyTimes() []float64 { return []float64{60, 180} }

// Row is what one system cost with one traffic and one time to become ready.
type Row struct {
	Traffic    string
	ReadyAfter float64
	System     string
	Figures    Figures
}

// Verdict compares ours with a peer on the first two figures.
type Verdict string

const (
	// Wins: at most the same on both.
	Wins Verdict = "wins"
	// Buys: waits less, costs more.
	Buys Verdict = "buys"
	// Saves: waits more, costs less.
	Saves Verdict = "saves"
	// Loses: waits more, and costs as much or more. The default behavior must never do that.
	Loses Verdict = "LOSES"
)

// Judge says how ours stands against a peer.
func Judge(ours, peer Figures) Verdict {
	waits, costs := ours.OverThreshold > peer.OverThreshold, ours.ReplicaSeconds > peer.ReplicaSeconds
	switch {
	case !waits && !costs:
		return Wins
	case !waits:
		return Buys
	case ours.ReplicaSeconds < peer.ReplicaSeconds:
		return Saves
	}
	return Loses
}

// Report is the rows as a table in Markdown. The first system of each case is ours.
func Report(rows []Row) string {
	var b strings.Builder
	b.WriteString("| traffic | ready after | system | request-seconds above the threshold | replica-seconds | changes of direction | ours against it |\n")
	b.WriteString("|---|---:|---|---:|---:|---:|---|\n")
	var ours Row
	for _, row := range rows {
		traffic, ready, verdict := "", "", ""
		if row.Traffic != ours.Traffic || row.ReadyAfter != ours.ReadyAfter {
			ours = row
			traffic, ready = row.Traffic, fmt.Sprintf("%.0f s", row.ReadyAfter)
		} else {
			verdict = string(Judge(ours.Figures, row.Figures))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f | %s |\n", traffic, ready, row.System,
			grouped(row.Figures.OverThreshold), grouped(row.Figures.ReplicaSeconds), row.Figures.DirectionChanges, verdict)
	}
	return b.String()
}

// grouped is a number without decimals, its digits in groups of three.
func grouped(value float64) string {
	digits := fmt.Sprintf("%.0f", value)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

// summary is how a variant stands against the chart's default and the peers.
type summary struct {
	over, cost, turns float64 // geometric means of what it has over what the default has
	verdicts          map[Verdict]int
}

// summarize compares a variant's rows with those of the default, and judges
// each against the peers of its case.
func summarize(variant, standard []Row, peers map[string][]Row) summary {
	s := summary{verdicts: map[Verdict]int{}}
	n := float64(len(variant))
	for i, row := range variant {
		s.over += math.Log((1+row.Figures.OverThreshold)/(1+standard[i].Figures.OverThreshold)) / n
		s.cost += math.Log(row.Figures.ReplicaSeconds/standard[i].Figures.ReplicaSeconds) / n
		s.turns += math.Log((1+row.Figures.DirectionChanges)/(1+standard[i].Figures.DirectionChanges)) / n
		for _, peer := range peers[row.id()] {
			s.verdicts[Judge(row.Figures, peer.Figures)]++
		}
	}
	s.over, s.cost, s.turns = math.Exp(s.over), math.Exp(s.cost), math.Exp(s.turns)
	return s
}

// id names the case of a row: its traffic and time to become ready.
func (r Row) id() string { return fmt.Sprintf("%s/%.0fs", r.Traffic, r.ReadyAfter) }
