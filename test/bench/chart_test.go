package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"
)

func TestWriteChart(t *testing.T) {
	var out bytes.Buffer
	err := writeChart(&out, []chart{
		{"near & <far>", []*row{
			{name: "get, \"cached\" <1", times: []time.Duration{6 * time.Millisecond}},
			{name: "a peer & others", times: []time.Duration{10 * time.Second, 0}, theirs: true},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	elements := map[string]int{}
	for d := xml.NewDecoder(&out); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the chart is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
	if elements["svg"] != 1 || elements["rect"] != 3 { // the background and two bars
		t.Errorf("the chart has the elements %v", elements)
	}
}

// TestX checks that the scale is logarithmic.
func TestX(t *testing.T) {
	for d, want := range map[time.Duration]float64{
		0: left, time.Millisecond: left, 10 * time.Millisecond: left + decade, time.Second: left + 3*decade,
	} {
		if got := x(d); got != want {
			t.Errorf("x(%v) is %v, want %v", d, got, want)
		}
	}
}
