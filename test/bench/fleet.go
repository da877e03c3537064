package main

import (
	"bufio"
	"fmt"
	"io"
)

// bounds is the administrator's part of the values file.
const bounds = `# A fleet of the benchmark.
server:
  autoscaling:
    enable: true
    replicas:
      limits:
        maximum: 8
    metrics:
      queueTime:
        allowed: true
        enabled: true
        threshold:
          default: 50000
          minimum: 20000
          maximum: 200000

leases:
`

// fleet writes a values file with n leases, in block style, as people and programs write
// it. Most leases ask for more than the bounds allow. Every second lease has two models.
// Every fourth lease sets its resources, in one of three sizes.
func fleet(w io.Writer, n int) error {
	text := bufio.NewWriter(w)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(text, format, args...) }
	p(bounds)
	for i := range n {
		p("  lease-%05d:\n", i)
		p("    models:\n")
		p("      - name: detector-%05d\n", i)
		p("        uri: s3://models/team-%02d/detector-%05d\n", i%40, i)
		if i%2 == 1 {
			p("      - name: tokenizer-%05d\n", i)
			p("        uri: gs://text/tokenizer-%05d\n", i)
		}
		if i%4 == 0 {
			size := 1 << (i / 4 % 3)
			p("    triton:\n")
			p("      resources:\n")
			p("        requests:\n")
			p("          cpu: %d\n", 4*size)
			p("          memory: %dGi\n", 16*size)
			p("        limits:\n")
			p("          nvidia.com/gpu: %d\n", size)
		}
		p("    autoscaling:\n")
		p("      enable: true\n")
		p("      replicas:\n")
		p("        maximum: %d\n", 4+i%16)
		p("      metrics:\n")
		p("        queueTime:\n")
		p("          threshold: %d\n", 5000*(1+i*37%97))
	}
	return text.Flush()
}
