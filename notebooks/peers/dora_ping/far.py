"""The node that answers: sends every payload back as it came."""

from dora import Node

if __name__ == "__main__":
    node = Node()
    for event in node:
        if event["type"] == "INPUT":
            node.send_output("back", event["value"])
        elif event["type"] == "STOP":
            break
