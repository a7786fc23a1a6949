package bedrock

// Quotas bound what one account may have in one region. Beyond them a call answers
// ServiceQuotaExceededException.
type Quotas struct {
	JobsInProgress int // jobs that wait or run
	CustomModels   int
	Throughputs    int // provisioned throughputs
	ModelUnits     int // of all provisioned throughputs together
}

// The default quotas. AWS documents 100 custom models (L-CB5B847D); the others are local:
// jobs run one after another, so that a hundred are days of work, and a throughput keeps its
// model in memory.
const (
	JobsInProgressMax = 100
	CustomModelsMax   = 100
	ThroughputsMax    = 20
	ModelUnitsMax     = 40
)

// DefaultQuotas returns the quotas of a server that is not configured otherwise.
func DefaultQuotas() Quotas {
	return Quotas{JobsInProgress: JobsInProgressMax, CustomModels: CustomModelsMax, Throughputs: ThroughputsMax, ModelUnits: ModelUnitsMax}
}

// Size limits of a job's data, of Titan Text Express (AWS, "model-customization-prepare").
const (
	TrainingBytesMax   = 1 << 30
	ValidationBytesMax = 100 << 20
)
