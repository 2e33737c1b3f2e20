"""The only code that knows LangGraph: the seam, the gates, the fenced saver, the driver."""
