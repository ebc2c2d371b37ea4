"""stub"""
def write(o,t,n): return "x"
