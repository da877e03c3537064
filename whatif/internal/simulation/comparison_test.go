package simulation

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	reportFile   = flag.String("report", "", "write the table of all systems into this `file`")
	gate         = flag.Bool("gate", false, "fail if the default behavior loses to a peer on both figures")
	tryVariants  = flag.Bool("variants", false, "also compare the candidates for the chart's default behavior")
	language     = flag.Bool("language", false, "also compare the candidates with the language model")
	only         = flag.String("only", "", "compare only the candidates with a name that matches this `expression`")
	replications = flag.Int("replications", 3, "number of seeds; each figure is the mean over them")
	valuesFile   = flag.String("values", "../../../charts/tms/values.yaml", "`file` with server.autoscaling.behavior and prometheus")
	instances    = flag.Int("instances", DefaultModel().Instances, "instances of the model in a pod")
	service      = flag.Float64("service", DefaultModel().Service, "`seconds` for which a request occupies an instance")
	threshold    = flag.Float64("threshold", DefaultModel().Threshold, "queueTime threshold of the lease in `seconds`")
	scale        = flag.Int("scale", 1, "factor for the traffic and for the maximum number of replicas")
)

// workload is a model with the systems that scale it. The first system is TMS.
type workload struct {
	name  string // in the names of the traffics
	model Model
	// ready are the times from the creation of a pod until it is ready, in seconds.
	ready   []float64
	systems []System
}

// workloads returns the model that the flags set, and a language model. matrix scales the
// traffic, so that each model needs the same number of pods. The language model scales by
// the time to its first response, and for comparison by the queue time.
func workloads(t *testing.T) []workload {
	t.Helper()
	system := chartSystem(t)
	first, err := FirstResponse(system, languageModelManifests)
	if err != nil {
		t.Fatal(err)
	}
	model := DefaultModel()
	model.Instances, model.Service, model.Threshold = *instances, *service, *threshold
	queue := system
	queue.Name = "TMS, by queueTime"
	return []workload{
		{"", model, ReadyTimes(), append([]System{system}, Peers(system)...)},
		// The other peers read the queue time, too: they do the same as queue.
		{", language model", LanguageModel(), []float64{300}, append([]System{first, queue}, Peers(first)[:1]...)},
	}
}

func chartSystem(t *testing.T) System {
	t.Helper()
	system, err := Ours(*valuesFile)
	if err != nil {
		t.Fatal(err)
	}
	return system
}

// figures runs one case and returns its figures.
func figures(t *testing.T, c Case) Figures {
	t.Helper()
	result, err := Run(c)
	if err != nil {
		t.Error(err)
		return Figures{}
	}
	return result.Figures
}

// matrix runs every system of every workload with every traffic and every time until pods
// are ready, in parallel.
func matrix(t *testing.T, workloads []workload, traffics []Traffic, seeds int) []Row {
	t.Helper()
	var rows []Row
	var runs [][]Figures
	t.Run("runs", func(t *testing.T) {
		for _, w := range workloads {
			for _, traffic := range traffics {
				traffic = traffic.Times(float64(*scale) * w.model.Capacity() / DefaultModel().Capacity())
				traffic.Name += w.name
				for _, ready := range w.ready {
					for _, system := range w.systems {
						row := len(rows)
						system.Maximum *= int32(*scale)
						rows = append(rows, Row{Traffic: traffic.Name, ReadyAfter: ready, System: system.Name})
						runs = append(runs, make([]Figures, seeds))
						for seed := range seeds {
							t.Run(fmt.Sprintf("%s/%.0fs/%s/%d", traffic.Name, ready, system.Name, seed), func(t *testing.T) {
								t.Parallel()
								runs[row][seed] = figures(t, Case{
									Traffic: traffic, System: system.withThreshold(w.model.Threshold), Model: w.model, Cluster: DefaultCluster(),
									ReadyAfter: ready, Seed: uint64(seed) + 1,
								})
							})
						}
					}
				}
			}
		}
	})
	for i := range rows {
		rows[i].Figures = mean(runs[i])
	}
	return rows
}

// TestSameEachTime checks that a case gives the same figures twice. The comparison of
// systems depends on that.
func TestSameEachTime(t *testing.T) {
	c := Case{Traffic: Traffics()[3], System: chartSystem(t).withThreshold(DefaultModel().Threshold), Model: DefaultModel(), Cluster: DefaultCluster(), ReadyAfter: 60, Seed: 1}
	first := figures(t, c)
	if first.DirectionChanges == 0 || first.ReplicaSeconds <= c.Traffic.Length {
		t.Errorf("the controller did nothing: %+v", first)
	}
	if second := figures(t, c); second != first {
		t.Errorf("two runs differ: %+v, then %+v", first, second)
	}
}

// TestReport writes the table. With -short it runs only the first traffic.
func TestReport(t *testing.T) {
	traffics := Traffics()
	if testing.Short() {
		traffics, *replications = traffics[:1], 1
	}
	system := chartSystem(t)
	rows := matrix(t, workloads(t), traffics, *replications)
	if t.Failed() {
		return
	}
	table := Report(rows)
	t.Logf("\n%s", table)
	var ours Row
	for _, row := range rows {
		if row.System == system.Name {
			ours = row
		} else if *gate && Compare(ours.Figures, row.Figures) == Loses {
			t.Errorf("%s: TMS waits more than %s and costs at least as much: %+v, %+v", row.id(), row.System, ours.Figures, row.Figures)
		}
	}
	if *reportFile == "" {
		return
	}
	if err := os.WriteFile(*reportFile, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVariants compares candidates for the chart's default behavior.
func TestVariants(t *testing.T) {
	if !*tryVariants {
		t.Skip("only with -variants")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	all, candidates, isPeer := workloads(t), []string{chartSystem(t).Name}, map[string]bool{}
	if !*language {
		all = all[:1]
	}
	for i := range all {
		w := &all[i]
		for _, peer := range w.systems[1:] {
			isPeer[peer.Name] = true
		}
		for _, variant := range Variants() {
			if wanted.MatchString(variant.Name) {
				candidate := w.systems[0]
				candidate.Name, candidate.Behavior = variant.Name, variant.Behavior
				w.systems = append(w.systems, candidate)
			}
		}
	}
	for _, variant := range Variants() {
		if wanted.MatchString(variant.Name) {
			candidates = append(candidates, variant.Name)
		}
	}
	rows := matrix(t, all, Traffics(), *replications)
	if t.Failed() {
		return
	}
	peers, by := map[string][]Row{}, map[string][]Row{}
	for _, row := range rows {
		if isPeer[row.System] {
			peers[row.id()] = append(peers[row.id()], row)
		}
		by[row.System] = append(by[row.System], row)
	}
	var b strings.Builder
	b.WriteString("\n| behavior | request-seconds / default | replica-seconds / default | changes of direction / default | wins | buys | saves | LOSES | cases that lose |\n|---|---:|---:|---:|---:|---:|---:|---:|---|\n")
	for _, name := range candidates {
		sum := summarize(by[name], by[candidates[0]], peers)
		var lost []string
		for _, row := range by[name] {
			for _, peer := range peers[row.id()] {
				if Compare(row.Figures, peer.Figures) == Loses {
					lost = append(lost, row.id()+" "+peer.System)
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %.2f | %d | %d | %d | %d | %s |\n", name, sum.over, sum.cost, sum.changes,
			sum.verdicts[Wins], sum.verdicts[Buys], sum.verdicts[Saves], sum.verdicts[Loses], strings.Join(lost, "; "))
	}
	t.Log(b.String())
	t.Logf("\n%s", Report(rows))
}
