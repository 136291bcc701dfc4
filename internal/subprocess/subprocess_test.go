package subprocess

import "testing"

func TestRunner_Find_skips_relative_directories(t *testing.T) {
	t.Chdir("testdata")
	for _, path := range []string{".", "", "bin", ":bin:."} {
		r := Runner{Getenv: func(string) string { return path }}
		if found := r.Find("az"); found != "" {
			t.Errorf("PATH=%q finds %s", path, found)
		}
	}
}
