package restjson

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayout is how times are written: UTC to the millisecond, as AWS does; the fraction is
// left out when it is zero.
const timeLayout = "2006-01-02T15:04:05.999Z"

// epochMax bounds times given as seconds: the end of the year 9999.
const epochMax = 253402300799

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// parseTime reads a time as clients send it: ISO 8601 with an offset or Z, with or without a
// fraction, or seconds since 1970.
func parseTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s)); err == nil {
		return t.UTC(), t.Year() > 0
	}
	return parseEpoch(s)
}

func parseEpoch(s string) (time.Time, bool) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(math.Abs(x) <= epochMax) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(x)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true
}
