for measure in bytes count average; do snap-top --format=tsv --sort $measure -k type app.snap; done
