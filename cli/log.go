package cli

import "log/slog"

// logger writes to standard error; with verbose also what only a developer wants to know.
func (a *app) logger(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

// quietLogger tells only what went wrong: for a server that runs behind a command of its own.
func (a *app) quietLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
