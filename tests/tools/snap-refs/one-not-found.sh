snap-refs app.snap type:Nothing type:App
