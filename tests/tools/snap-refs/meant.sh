for name in app Nod dikt list App_ Nothing ode '*pp_'; do snap-refs app.snap "type:$name"; done; snap-refs app.snap Node
