snap-refs app.snap row:0 <&- ; cat app.snap | snap-refs - row:0 >/dev/full
