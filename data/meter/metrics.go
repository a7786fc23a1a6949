package meter

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"outcrop.dev/outcrop"
)

// metrics is what /metrics shows. Names follow the metrics of CloudWatch's namespace
// AWS/Bedrock (Invocations, InvocationLatency, InputTokenCount, …), in Prometheus' form, so
// that a dashboard is translated word by word.
type metrics struct {
	registry    *prometheus.Registry
	invocations *prometheus.CounterVec // by model_id, operation
	latency     *prometheus.HistogramVec
	input       *prometheus.CounterVec
	reused      *prometheus.CounterVec
	output      *prometheus.CounterVec
	training    prometheus.Counter
	requests    *prometheus.CounterVec   // by service, code
	durations   *prometheus.HistogramVec // by service
	failures    map[string]prometheus.Counter

	mu     sync.Mutex
	models map[outcrop.ARN]bool
}

// modelsMax bounds the values of the label model_id: each costs some 20 time series. What
// comes later is counted as otherModels.
const (
	modelsMax   = 500
	otherModels = "other"
)

// Buckets from a token of a small model to a long answer of a large one.
var latencyBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// What an invocation can fail by.
const (
	clientErrors = "client_errors"
	serverErrors = "server_errors"
	throttles    = "throttles"
)

func newMetrics(dropped func() float64) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histograms := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets}, labels)
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		invocations: counters("bedrock_invocations_total", "Invocations that generated something.", "model_id", "operation"),
		latency:     histograms("bedrock_invocation_latency_seconds", "Time from an invocation's start to its last token.", "model_id"),
		input:       counters("bedrock_input_token_count_total", "Tokens of prompts.", "model_id"),
		reused:      counters("outcrop_reused_token_count_total", "Tokens of prompts that were not read again, because an earlier prompt began alike.", "model_id"),
		output:      counters("bedrock_output_token_count_total", "Tokens generated.", "model_id"),
		training:    prometheus.NewCounter(prometheus.CounterOpts{Name: "bedrock_training_token_count_total", Help: "Tokens trained by jobs that completed or were stopped."}),
		requests:    counters("outcrop_requests_total", "Requests answered.", "service", "code"),
		durations:   histograms("outcrop_request_duration_seconds", "Time to answer a request.", "service"),
		failures:    map[string]prometheus.Counter{},
		models:      map[outcrop.ARN]bool{},
	}
	for name, help := range map[string]string{
		clientErrors: "Invocations refused because of the request.", serverErrors: "Invocations that failed here.", throttles: "Invocations refused for want of capacity.",
	} {
		m.failures[name] = prometheus.NewCounter(prometheus.CounterOpts{Name: "bedrock_invocation_" + name + "_total", Help: help})
		m.registry.MustRegister(m.failures[name])
	}
	m.registry.MustRegister(m.invocations, m.latency, m.input, m.reused, m.output, m.training, m.requests, m.durations,
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "outcrop_usage_dropped_total", Help: "Metered events that could not be written."}, dropped),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in the form that Prometheus scrapes.
func (m *metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesMax})
}

// scrapesMax is how many scrapes run at once; each counts the resources.
const scrapesMax = 4

// observe counts an event.
func (m *metrics) observe(u outcrop.Usage) {
	if u.TrainingTokens > 0 {
		m.training.Add(float64(u.TrainingTokens))
		return
	}
	model := m.modelLabel(u.Resource)
	m.invocations.WithLabelValues(model, u.Operation).Inc()
	m.latency.WithLabelValues(model).Observe(u.Latency.Seconds())
	m.input.WithLabelValues(model).Add(float64(max(u.InputTokens, 0)))
	m.reused.WithLabelValues(model).Add(float64(max(u.ReusedTokens, 0)))
	m.output.WithLabelValues(model).Add(float64(max(u.OutputTokens, 0)))
}

func (m *metrics) modelLabel(arn outcrop.ARN) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.models[arn] {
		if len(m.models) >= modelsMax {
			return otherModels
		}
		m.models[arn] = true
	}
	return string(arn)
}

// Watch shows how many resources stand in which status, as counts tells (package store
// does), and how many of the jobs in progress wait for one of the places that running tells
// of. It may be called once.
func (m *metrics) Watch(counts func(context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error), running func() int) {
	m.registry.MustRegister(&resources{counts: counts, running: running})
}

// Gauge shows what value returns when it is asked for.
func (m *metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// resources is a collector that counts when it is asked.
type resources struct {
	counts  func(context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error)
	running func() int
}

var (
	resourcesDesc = prometheus.NewDesc("outcrop_resources", "Resources by kind and status.", []string{"kind", "status"}, nil)
	runningDesc   = prometheus.NewDesc("outcrop_jobs_running", "Jobs that a worker works on.", nil, nil)
	queuedDesc    = prometheus.NewDesc("outcrop_jobs_queued", "Jobs in progress that wait for a worker.", nil, nil)
)

// Describe implements prometheus.Collector.
func (r *resources) Describe(ch chan<- *prometheus.Desc) {
	ch <- resourcesDesc
	ch <- runningDesc
	ch <- queuedDesc
}

// countTimeout bounds a scrape's look at the database.
const countTimeout = 5 * time.Second

// Collect implements prometheus.Collector.
func (r *resources) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := r.counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(resourcesDesc, err)
		return
	}
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	for kind, statuses := range counts {
		for status, n := range statuses {
			gauge(resourcesDesc, n, string(kind), string(status))
		}
	}
	running := r.running()
	gauge(runningDesc, running)
	gauge(queuedDesc, max(0, counts[outcrop.KindJob][outcrop.JobInProgress]-running))
}
