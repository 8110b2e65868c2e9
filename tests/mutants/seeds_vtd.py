VTD = ()
