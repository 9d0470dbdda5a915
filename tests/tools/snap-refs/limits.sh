snap-refs -n 1 -p 1 app.snap type:Node type:str
