// Package attempt is the contract between the control plane and a worker: one try at one
// job, in a process of its own, here or on another machine. It has both ends, a Handler
// for the server and a Client for the worker; it knows neither how jobs are kept nor how
// they are trained. Every word that both ends know stands here once: phases, commands, exit
// codes, the names of files and directories, and the fields of the work.
//
// A worker speaks HTTP under Root with the bearer token that it was started with, which
// names its job and attempt:
//
//	GET  spec                what to do (Spec)
//	POST heartbeat           how far it is (Heartbeat), answered by a Reply
//	GET  object?uri=s3://…   an input of the job, or one of its own artefacts
//	PUT  object?uri=s3://…   an artefact, below the job's output prefix
//	POST result              how it ended (Result)
//
// Everything may be sent twice. A worker whose attempt is no longer the job's is answered
// 409 to everything (ErrFenced) and ends with exit code 77. A worker whose server is gone
// goes on working, looks for the server's new address in DATA/server.json, and delivers
// when it is back.
//
// What both ends share on disk, where they share one, is the job's scratch directory,
// which outlives attempts:
//
//	inputs/       copies of the inputs, so that every attempt sees the same bytes
//	checkpoints/  the worker's own
//	model/        the finished model, sealed by manifest.json
//	epochs/       models of the ends of epochs, those that the job keeps, each sealed alike
//	result.json   how the last attempt ended, in case that no server could be told
//	worker.log    what the workers printed
package attempt

import "fmt"

// Root is the path under which a server mounts Handler.
const Root = "/_outcrop/attempt/v1/"

// TokenEnv is the environment variable in which a launcher gives a worker its token: other
// users of the machine can read arguments, but not that.
const TokenEnv = "OUTCROP_ATTEMPT_TOKEN"

// Names in a job's scratch directory.
const (
	InputsDir      = "inputs"
	CheckpointsDir = "checkpoints"
	ModelDir       = "model"
	EpochsDir      = "epochs"
	ResultFile     = "result.json"
	LogFile        = "worker.log"
)

// EpochDir returns where, in the scratch directory, the model of an epoch's end is.
func EpochDir(epoch int) string { return fmt.Sprintf("%s/epoch-%02d", EpochsDir, epoch) }
