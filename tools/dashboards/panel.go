package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panel is a panel with a time axis, or with single numbers if stat is set.
type panel struct {
	// id is the id that the annotation __panelId__ of an alert names. If it is 0, the panel
	// gets the next free id.
	id          uint32
	title       string
	description string
	unit        string
	queries     []query
	stat        bool
	// width is in columns. A dashboard has 24 columns.
	width uint32
	// hundred draws a line at 100 percent.
	hundred bool
	// stacked draws the series on top of each other.
	stacked bool
	// links are the links of each series.
	links []cog.Builder[dashboard.DashboardLink]
}

type query struct {
	expr string
	// legend names each series.
	legend string
}

// row is a row of panels with a title.
type row struct {
	title  string
	panels []panel
}

// datasource is the data source that the reader of a dashboard chooses.
func datasource() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// firstFreeID is the first id of panels that no alert names.
const firstFreeID = 100

// newDashboard returns a dashboard of the chart. Each has the data source as its first
// variable, and links to the others.
func newDashboard(uid, title, description string, variables []*dashboard.QueryVariableBuilder, rows []row) *dashboard.DashboardBuilder {
	d := dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).Tags([]string{tag}).
		Readonly().Refresh("30s").Time("now-1h", "now").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("TMS").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{tag}).KeepTime(true)).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range variables {
		d = d.WithVariable(v)
	}
	next := uint32(firstFreeID)
	for _, r := range rows {
		d = d.WithRow(dashboard.NewRowBuilder(r.title).Id(next))
		next++
		for _, p := range r.panels {
			if p.id == 0 {
				p.id = next
				next++
			}
			d = d.WithPanel(p.build())
		}
	}
	return d
}

// tag is on each dashboard of the chart.
const tag = "tms"

// variable returns a variable with the values that a query gives.
func variable(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(datasource()).
		Query(dashboard.StringOrMap{String: &query}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
}

// series returns a variable with the values that a label has in the result of an
// expression. Grafana writes the result as {a="b",c="d"} value timestamp.
func series(name, label, expr, of string) *dashboard.QueryVariableBuilder {
	return variable(name, label, "query_result("+expr+")").Regex(`/` + of + `="([^"]+)"/`)
}

func (p panel) build() cog.Builder[dashboard.Panel] {
	targets := make([]cog.Builder[variants.Dataquery], len(p.queries))
	for i, q := range p.queries {
		target := prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Datasource(datasource()).Expr(q.expr).LegendFormat(q.legend)
		if p.stat {
			targets[i] = target.Instant()
		} else {
			targets[i] = target.Range()
		}
	}
	if p.stat {
		return stat.NewPanelBuilder().Id(p.id).Title(p.title).Description(p.description).Datasource(datasource()).Unit(p.unit).
			Span(p.width).Height(4).Targets(targets).GraphMode(common.BigValueGraphModeNone).
			ColorMode(common.BigValueColorModeNone).TextMode(common.BigValueTextModeAuto)
	}
	built := timeseries.NewPanelBuilder().Id(p.id).Title(p.title).Description(p.description).Datasource(datasource()).Unit(p.unit).
		Span(p.width).Height(8).Targets(targets).Min(0).FillOpacity(5).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.stacked {
		built = built.FillOpacity(30).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
	}
	if p.hundred {
		built = built.Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps([]dashboard.Threshold{
			{Color: "transparent"}, {Value: cog.ToPtr[float64](100), Color: "red"},
		})).ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeLine))
	}
	if p.links != nil {
		built = built.DataLinks(p.links)
	}
	// Limits are dashed lines.
	return built.OverrideByRegexp("^(minimum|maximum|threshold|budget|limit).*", []dashboard.DynamicConfigValue{
		{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{8, 6}}},
		{Id: "custom.fillOpacity", Value: 0},
	})
}

// each replaces the placeholders of an expression, which begin with an at sign.
func each(expr string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(expr) }
