package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func (a *app) checkOutput() error {
	if a.output != outputTable && a.output != outputJSON {
		return usagef("--output %q is not known: use %s or %s", a.output, outputTable, outputJSON)
	}
	return nil
}

// printf writes to standard output. A failed write (a closed pipe) is not worth a message.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// note writes a remark to standard error, where it does not disturb a pipe.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

// printJSON writes v with the API's member names.
func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(apiValue(v), "", "  ")
	if err != nil {
		return err
	}
	a.printf("%s\n", b)
	return nil
}

// printRows writes a table of records: no borders, so that cut and awk can read it.
func (a *app) printRows(header []string, rows [][]any) {
	t := table.NewWriter()
	t.SetStyle(plainTable)
	t.AppendHeader(cells(header))
	for _, r := range rows {
		t.AppendRow(r)
	}
	a.printTable(t)
}

// printFields writes one record, a line for each field that has a value.
func (a *app) printFields(fields ...field) {
	t := table.NewWriter()
	t.SetStyle(plainTable)
	for _, f := range fields {
		if f.value != "" {
			t.AppendRow(table.Row{f.name + ":", f.value})
		}
	}
	a.printTable(t)
}

// printTable writes a table without the blanks that pad its last column.
func (a *app) printTable(t table.Writer) {
	for line := range strings.Lines(t.Render()) {
		a.printf("%s\n", strings.TrimRight(line, " \n"))
	}
}

type field struct{ name, value string }

var plainTable = table.Style{
	Name:    "plain",
	Box:     table.BoxStyle{PaddingRight: "  "},
	Format:  table.FormatOptions{Header: text.FormatUpper},
	Options: table.OptionsNoBordersAndSeparators,
}

func cells[T any](values []T) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = v
	}
	return row
}

// when formats a time for a table, in the reader's time zone.
func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// number formats an optional number.
func number(x *float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.4f", *x)
}
