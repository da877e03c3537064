package doctor

import (
	"maps"
	"slices"
)

// Message describes one problem. The code of a removed message is never used again.
type Message struct {
	Level Status
	// Text is what is wrong. Text, Command and Fix have placeholders, such as <namespace>.
	Text string
	// Meaning is the effect on the lease.
	Meaning string
	// Command shows the problem. Fix is what to run or to set.
	Command, Fix string
	// Page is a page and an anchor below docs.
	Page string
}

// documentation is the folder of the pages of messages.
const documentation = "https://github.com/triton-leases/tms/blob/main/docs/"

// Codes returns the codes of all messages, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(messages)) }

// MessageOf returns the message of a code.
func MessageOf(code string) Message { return messages[code] }

// messages is the only list of codes. 10xx are about the cluster, 11xx about the pods of a
// lease and their scrape, 12xx about a metric, 13xx about the HorizontalPodAutoscaler, and
// 14xx about an install.
var messages = merge(clusterMessages, scrapeMessages, metricMessages, scalerMessages, kedaMessages, installMessages)

func merge(tables ...map[string]Message) map[string]Message {
	all := map[string]Message{}
	for _, table := range tables {
		for code, message := range table {
			if _, used := all[code]; used {
				panic("doctor: two messages have the code " + code)
			}
			all[code] = message
		}
	}
	return all
}
